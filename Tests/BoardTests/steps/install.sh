# shellcheck shell=bash
# apt installs the .deb and what it depends on, and everything is where the package says.
files >"$WORK/files-before"
apt_install "$BOARD/vl2.deb"
expect_equal "dpkg's state of vl2" "install ok installed" "$(dpkg-query -W -f '${Status}' vl2)"
dpkg --verify vl2
note "$(dpkg-query -W -f '${Version}, ${Installed-Size} KiB installed' vl2)"
vl2 --version
vl2-convert --version
id vl2
expect_file /usr/bin/vl2 /usr/bin/vl2-convert /etc/vl2/serve.env /usr/share/vl2/pocket/pocket.vl2q
note "vl2 --version: $( { TIMEFORMAT=%R; time vl2 --version >/dev/null; } 2>&1) s"
