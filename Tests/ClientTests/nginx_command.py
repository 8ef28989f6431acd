"""The nginx of this machine, as whoever runs the tests, in a folder of its own."""

import os
import shutil

PROGRAM = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")

# A system's package puts these files elsewhere.
MAIN = """\
daemon off;
{user}
worker_processes 2;
pid {folder}/pid;
error_log {folder}/error info;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/{included};
}}
"""


def nginx_command(folder, included):
    """The words that start nginx in the foreground with a configuration that lies in the folder."""
    assert PROGRAM, "nginx is not installed; scripts/install-dependencies.sh does it"
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user, included=included))
    return [PROGRAM, "-p", str(folder), "-e", str(folder / "error"), "-c", str(folder / "nginx.conf")]
