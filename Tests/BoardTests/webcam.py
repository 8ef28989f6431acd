#!/usr/bin/env python3
"""A USB webcam that is a program: Linux's vhci-hcd, the host controller of USB/IP, gets a camera of USB Video Class 1.0 on a
socket, and the kernel's own uvcvideo makes a /dev/videoN of it that gives MJPEG and YUYV.

Usage: webcam.py FRAMES FIFO      as root, with the modules vhci-hcd and uvcvideo loaded

FRAMES has a folder WIDTHxHEIGHT for each size, in it a folder for each scene, in it N.jpg and N.yuyv, which are shown again
and again. FIFO is made; lines written to it are commands:
  plug, unplug      the cable; it is plugged in from the start
  show SCENE        what stands before the camera; from the start the first scene by name
  go, hang, freeze, tear, mark
                    frames as they should be; none; always the same; only the first half of each; each with the error bit
  quit
What was done is written to standard output, a line each.

Sources: USB 2.0, chapter 9; USB Device Class Definition for Video Devices 1.0a, and its payloads MJPEG and uncompressed;
the kernel's Documentation/usb/usbip_protocol.rst.
"""
import errno
import os
import pathlib
import select
import socket
import struct
import sys
import time

CONTROLLER = pathlib.Path("/sys/devices/platform/vhci_hcd.0")
SUBMIT, UNLINK, SUBMITTED, UNLINKED = 1, 2, 3, 4        # USB/IP's commands and the answers to them
HEADER = struct.Struct(">5I")                           # command, number, device, direction, endpoint
FREE_PORT, HIGH_SPEED = 4, 3
STRINGS = {1: "vl2", 2: "Test camera", 3: "0001"}       # maker, product, serial number
RATES = (10, 5)                                         # frames a second, the default first
PAYLOAD = 16_384                                        # bytes of one transfer at most, with its header
VIDEO_IN, VIDEO_OUT = 0x0201, 0x0101                    # kinds of terminals: a sensor, the bus
YUY2 = bytes.fromhex("5955593200001000800000aa00389b71")
END_OF_FRAME, ERROR, END_OF_HEADER = 0x02, 0x40, 0x80   # bits of a payload's header; bit 0 tells frames apart


def block(kind, *parts):
    """A descriptor: its length, its kind, and what is in it."""
    body = b"".join(part if isinstance(part, bytes) else bytes([part]) for part in parts)
    return bytes([len(body) + 2, kind]) + body


def half(value):
    return struct.pack("<H", value)


def word(value):
    return struct.pack("<I", value)


class Descriptors:
    """What the camera says of itself. Formats are counted from 1: MJPEG, then YUYV; sizes in the order given."""

    DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT, ASSOCIATION, VIDEO = 1, 2, 3, 4, 5, 11, 0x24

    def __init__(self, sizes):
        self.device = block(self.DEVICE, half(0x0200), 0xEF, 2, 1, 64, half(0x1209), half(0x0001), half(0x0100), 1, 2, 3, 1)
        frames = {kind: b"".join(self.frame(kind, number, size) for number, size in enumerate(sizes, 1)) for kind in (5, 7)}
        color = block(self.VIDEO, 0x0D, 1, 1, 4)         # sRGB, its transfer, BT.601
        formats = (block(self.VIDEO, 6, 1, len(sizes), 1, 1, 0, 0, 0, 0) + frames[7] + color
                   + block(self.VIDEO, 4, 2, len(sizes), YUY2, 16, 1, 0, 0, 0, 0) + frames[5] + color)
        head = block(self.VIDEO, 1, 2, half(15 + len(formats)), 0x81, 0, 2, 0, 0, 0, 1, 0, 0)
        units = (block(self.VIDEO, 2, 1, half(VIDEO_IN), 0, 0, half(0), half(0), half(0), 3, 0, 0, 0)
                 + block(self.VIDEO, 3, 2, half(VIDEO_OUT), 0, 1, 0))
        control = block(self.VIDEO, 1, half(0x0100), half(13 + len(units)), word(48_000_000), 1, 1)
        body = (block(self.ASSOCIATION, 0, 2, 0x0E, 3, 0, 2)
                + block(self.INTERFACE, 0, 0, 0, 0x0E, 1, 0, 2) + control + units
                + block(self.INTERFACE, 1, 0, 1, 0x0E, 2, 0, 0) + head + formats
                + block(self.ENDPOINT, 0x81, 2, half(512), 0))
        self.configuration = block(self.CONFIGURATION, half(9 + len(body)), 2, 1, 0, 0x80, 250) + body

    def frame(self, kind, number, size):
        width, height = size
        most = width * height * 2
        return block(self.VIDEO, kind, number, 0, half(width), half(height), word(most * 8 * min(RATES)),
                     word(most * 8 * max(RATES)), word(most), word(10_000_000 // RATES[0]), len(RATES),
                     b"".join(word(10_000_000 // rate) for rate in RATES))

    def answer(self, value):
        kind, index = value >> 8, value & 255
        if kind == self.DEVICE:
            return self.device
        if kind == self.CONFIGURATION:
            return self.configuration
        if kind == self.STRING and index == 0:
            return block(self.STRING, half(0x0409))
        if kind == self.STRING and index in STRINGS:
            return block(self.STRING, STRINGS[index].encode("utf-16le"))
        return None


class Scenes:
    """The frames, and which of them is next."""

    def __init__(self, folder):
        names = sorted((tuple(map(int, path.name.split("x"))), path) for path in pathlib.Path(folder).iterdir())
        self.sizes = [size for size, _ in names]
        self.frames = {}
        for size, path in names:
            for scene in sorted(path.iterdir()):
                pairs = [(picture.read_bytes(), picture.with_suffix(".yuyv").read_bytes())
                         for picture in sorted(scene.glob("*.jpg"))]
                self.frames[size, scene.name] = pairs
        self.scene = min(scene for _, scene in self.frames)
        self.number = 0

    def next(self, format_number, size_number, stays):
        frames = self.frames[self.sizes[size_number - 1], self.scene]
        frame = frames[self.number % len(frames)][format_number - 1]
        self.number += 0 if stays else 1
        return frame


class Camera:
    """The device, plugged in or not."""

    def __init__(self, folder):
        self.scenes = Scenes(folder)
        self.descriptors = Descriptors(self.scenes.sizes)
        self.mode, self.line, self.plugged = "go", None, 0

    def plug(self):
        if self.line:
            return
        rows = [row.split() for row in (CONTROLLER / "status").read_text().splitlines()[1:]]
        port = next(int(row[1]) for row in rows if row[0] == "hs" and int(row[2]) == FREE_PORT)
        self.line, kernels = socket.socketpair()
        self.plugged += 1
        (CONTROLLER / "attach").write_text(f"{port} {kernels.fileno()} {0x10000 + self.plugged} {HIGH_SPEED}")
        kernels.close()                                 # the kernel holds it
        self.waiting, self.rest, self.parity, self.due = [], b"", 0, 0.0
        self.format, self.size, self.interval = 1, 1, 10_000_000 // RATES[0]

    def unplug(self):
        if self.line:
            self.line.close()
        self.line = None

    def receive(self):
        """One message of the kernel's. The end of the line is the cable that somebody pulled."""
        try:
            command, number, _, direction, endpoint = HEADER.unpack(self.read(HEADER.size))
            fields = self.read(28)
            if command == UNLINK:
                self.take_back(number, struct.unpack(">I", fields[:4])[0])
                return
            length = struct.unpack(">i", fields[4:8])[0]
            sent = self.read(length) if direction == 0 else b""
            if endpoint:
                self.waiting.append((number, length))
            else:
                self.control(number, fields[20:], sent)
        except OSError:
            self.unplug()

    def read(self, count):
        data = bytearray()
        while len(data) < count:
            piece = self.line.recv(count - len(data))
            if not piece:
                raise ConnectionResetError
            data += piece
        return bytes(data)

    def submitted(self, number, status, length, data=b""):
        self.line.sendall(HEADER.pack(SUBMITTED, number, 0, 0, 0) + struct.pack(">iiiii8x", status, length, 0, 0, 0) + data)

    def take_back(self, number, unwanted):
        found = any(entry[0] == unwanted for entry in self.waiting)
        self.waiting = [entry for entry in self.waiting if entry[0] != unwanted]
        self.line.sendall(HEADER.pack(UNLINKED, number, 0, 0, 0) + struct.pack(">i24x", -errno.ECONNRESET if found else 0))
        if not self.waiting:
            self.rest = b""                             # streaming has ended; the next one begins with a whole frame

    def control(self, number, setup, sent):
        kind, request, value, index, wanted = struct.unpack("<BBHHH", setup)
        is_stream = kind & 0x7F == 0x21 and index & 255 == 1 and value >> 8 in (1, 2)    # probe, commit
        answer = None
        if kind == 0x80 and request == 6:
            answer = self.descriptors.answer(value)
        elif kind & 0xE0 == 0x80 and request in (0, 10):        # what is its status, its interface
            answer = bytes(2 if request == 0 else 1)
        elif kind & 0xE0 == 0 and request in (1, 3, 9, 11):     # set a feature, the configuration, an interface
            answer = b""
        elif is_stream and kind & 0x80:
            answer = {0x85: half(26), 0x86: b"\3"}.get(request, self.stream_settings())
        elif is_stream:
            self.set_stream(sent, value >> 8 == 2)
            answer = b""
        if answer is None:
            self.submitted(number, -errno.EPIPE, 0)     # a stall: there is no such thing
        elif kind & 0x80:
            self.submitted(number, 0, len(answer[:wanted]), answer[:wanted])
        else:
            self.submitted(number, 0, len(sent))

    def stream_settings(self):
        width, height = self.scenes.sizes[self.size - 1]
        return (half(1) + bytes([self.format, self.size]) + word(self.interval) + bytes(10) + word(width * height * 2)
                + word(PAYLOAD))

    def set_stream(self, sent, begins):
        if len(sent) >= 8:
            self.format = sent[2] if sent[2] in (1, 2) else 1
            self.size = sent[3] if 1 <= sent[3] <= len(self.scenes.sizes) else 1
            wished = struct.unpack("<I", sent[4:8])[0]
            self.interval = min((10_000_000 // rate for rate in RATES), key=lambda interval: abs(interval - wished))
        if begins:
            self.rest, self.due = b"", time.monotonic()

    def seconds_to_wait(self):
        """Until the next thing that has to be done without being asked."""
        if not self.line or not self.waiting or self.mode == "hang":
            return None
        return 0 if self.rest else max(0.0, self.due - time.monotonic())

    def send(self):
        """Gives the requests that wait the next pieces of the frame that is due."""
        while self.line and self.seconds_to_wait() == 0:
            if not self.rest:
                now = time.monotonic()
                self.due = max(self.due + self.interval / 10_000_000, now - 1)
                self.rest = self.scenes.next(self.format, self.size, self.mode == "freeze")
                if self.mode == "tear":
                    self.rest = self.rest[:len(self.rest) // 2]
                self.parity ^= 1
            number, room = self.waiting.pop(0)
            piece, self.rest = self.rest[:room - 2], self.rest[room - 2:]
            flags = END_OF_HEADER | self.parity | (0 if self.rest else END_OF_FRAME) | (ERROR if self.mode == "mark" else 0)
            try:
                self.submitted(number, 0, len(piece) + 2, bytes([2, flags]) + piece)
            except OSError:
                self.unplug()

    def obey(self, command):
        """Whether to go on."""
        word, _, rest = command.partition(" ")
        if word == "plug":
            self.plug()
        elif word == "unplug":
            self.unplug()
        elif word == "show":
            self.scenes.scene = rest
        elif word in ("go", "hang", "freeze", "tear", "mark"):
            self.mode = word
        elif word != "quit":
            print(f"webcam: no command {word!r}", file=sys.stderr)
            return True
        print(command, flush=True)
        return word != "quit"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    camera, fifo = Camera(sys.argv[1]), sys.argv[2]
    os.mkfifo(fifo)
    commands, begun = os.open(fifo, os.O_RDWR | os.O_NONBLOCK), b""     # for writing too: it has no end
    camera.plug()
    print("plug", flush=True)
    while True:
        places = [commands] + ([camera.line] if camera.line else [])
        ready = select.select(places, [], [], camera.seconds_to_wait())[0]
        if commands in ready:
            *lines, begun = (begun + os.read(commands, 4096)).split(b"\n")
            for line in lines:
                if not camera.obey(line.decode()):
                    camera.unplug()
                    return
        elif ready:
            camera.receive()
        camera.send()


if __name__ == "__main__":
    main()
