"""The remote cache: Bazel's HTTP cache protocol, so that results made elsewhere need not be made here.

Whatever a server does (be absent, refuse, lie, break off, be slow), it costs a miss and a line of warning.
"""
