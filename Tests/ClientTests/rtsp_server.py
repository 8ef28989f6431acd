"""GStreamer's RTSP server with files as cameras, for Debian's own python3 (python3-gi, gir1.2-gst-rtsp-server-1.0).

Usage: rtsp_server.py PORT NAME=FILE...     serves rtsp://127.0.0.1:PORT/NAME; .mp4 holds H.264, .avi MJPEG. PORT 0: any
Says the port on standard output once it listens."""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PIPELINES = {
    "mp4": "( filesrc location={} ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 )",
    "avi": "( filesrc location={} ! avidemux ! rtpjpegpay name=pay0 pt=26 )",
}

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
for word in sys.argv[2:]:
    name, path = word.split("=", 1)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINES[path[-3:]].format(path))
    server.get_mount_points().add_factory("/" + name, factory)
if server.attach(None) == 0:
    sys.exit(f"cannot listen at 127.0.0.1:{sys.argv[1]}")
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
