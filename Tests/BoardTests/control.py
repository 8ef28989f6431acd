#!/usr/bin/env python3
"""Sets a control of a camera, by its name.

Usage: control.py DEVICE NAME VALUE      for example control.py /dev/video0 Disconnect 0
"""
import errno
import fcntl
import os
import struct
import sys

QUERYCTRL, S_CTRL = 0xC0445624, 0xC008561C              # _IOWR('V', 36, v4l2_queryctrl), _IOWR('V', 28, v4l2_control)
NEXT = 0x80000000


def controls(device):
    """(name, number) of each."""
    number = 0
    while True:
        query = bytearray(struct.pack("<I64x", number | NEXT))
        try:
            fcntl.ioctl(device, QUERYCTRL, query)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return
            raise
        number, name = struct.unpack_from("<I4x32s", query)
        yield name.split(b"\0")[0].decode(), number


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    device = os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK)
    known = dict(controls(device))
    if sys.argv[2] not in known:
        sys.exit(f"control.py: {sys.argv[1]} has no control {sys.argv[2]!r}; it has: {', '.join(known)}")
    fcntl.ioctl(device, S_CTRL, struct.pack("<Ii", known[sys.argv[2]], int(sys.argv[3])))


if __name__ == "__main__":
    main()
