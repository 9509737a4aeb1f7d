/* Keys as the bytes a terminal would send: text in UTF-8, the rest as ANSI sequences. */
#ifndef INGOT_UEFI_KEYBOARD_H
#define INGOT_UEFI_KEYBOARD_H

#include "queue.h"
#include <efi.h>

struct keyboard {
    EFI_SIMPLE_TEXT_INPUT_EX_PROTOCOL *ex; /* tells Ctrl; NULL on old firmware */
    SIMPLE_INPUT_INTERFACE *plain;
};

void keyboard_open(struct keyboard *k, EFI_SYSTEM_TABLE *st);

/* Moves the keys that were pressed into the queue. */
void keyboard_poll(struct keyboard *k, struct queue *q);

#endif
