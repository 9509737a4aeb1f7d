"""`./doit flash`: an image on a USB stick or SD card, and on nothing else.

    facts    what is known of a disk, frozen
    sysfs    reads it from /sys and /proc; uses: who holds a disk; signatures: what its bytes say
    rules    which disk may be written: pure, and it refuses where it cannot be sure
    source   the image, raw or out of a release
    write    the bytes, there and back; device: the few things that only a real disk knows
    job      all of it in order
"""
