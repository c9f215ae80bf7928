#!/usr/bin/env bash
# Ceph's RGW 16.2.15 (Debian 12, amd64)
#
# Expected: a copy with "x-amz-copy-source-if-match: ETAG" copies only if the source has that ETag, and answers 412 otherwise.
#
# Observed: the condition is ignored: the copy succeeds with 200, whatever ETag it names. A GET with "If-Match" is answered by 412.
#
# Relevant for a backend that copies a file inside the store and must know which content it copied: the ETag has to be compared
# before and after the copy.
set -euo pipefail
work=$(mktemp -d)
pids=()
finish() {
  for (( i = ${#pids[@]} - 1; i >= 0; i-- )); do kill "${pids[i]}" 2>/dev/null || true; wait "${pids[i]}" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
mkdir -p "$work"/{debs,root,mon,osd,rgw}
cd "$work/debs"
version=16.2.15+ds-0+deb12u2
wanted=()
for name in ceph-base ceph-common ceph-mon ceph-osd radosgw python3-rados librados2 librbd1 librgw2 libcephfs2 libradosstriper1; do
  wanted+=("$name=$version")
done
# Besides, the libraries that an installation would add.
mapfile -t libraries < <(apt-get install --simulate --no-install-recommends "${wanted[@]}" |
  awk '/^Inst lib/ && $3 ~ /^\(/ { sub(/^\(/, "", $3); if ($3 !~ /^16\.2\.15/) print $2 "=" $3 }')
apt-get -o APT::Sandbox::User=root download -qq "${wanted[@]}" "${libraries[@]}"
for deb in *.deb; do dpkg-deb -x "$deb" "$work/root"; done
cd "$work"

lib=$work/root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$lib:$lib/ceph:$work/root/lib/x86_64-linux-gnu PATH=$work/root/usr/bin:$PATH
export PYTHONPATH=$work/root/usr/lib/python3/dist-packages CEPH_CONF=$work/ceph.conf
read -r monitor gateway < <(/usr/bin/python3 -c '
import socket
s = [socket.socket() for _ in range(2)]
for x in s: x.bind(("127.0.0.1", 0))
print(*(x.getsockname()[1] for x in s))')
cluster=$(cat /proc/sys/kernel/random/uuid) osd=$(cat /proc/sys/kernel/random/uuid)
cat > ceph.conf <<END
[global]
fsid = $cluster
mon host = v2:127.0.0.1:$monitor
public addr = 127.0.0.1
ms mon client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
run dir = $work
admin socket = $work/\$name.asok
log file = $work/\$name.log
mon cluster log to file = false
mon data = $work/mon
osd data = $work/osd
rgw data = $work/rgw
plugin dir = $lib/ceph
erasure code dir = $lib/ceph/erasure-code
osd class dir = $lib/rados-classes
osd objectstore = memstore
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon max pg per osd = 1000
paxos propose interval = 0.05
rgw frontends = beast endpoint=127.0.0.1:$gateway
END
{
  monmaptool --create --fsid "$cluster" --addv a "[v2:127.0.0.1:$monitor]" monmap
  ceph-mon -i a --mkfs --monmap monmap
} >/dev/null
ceph-mon -i a -f >mon.out 2>&1 & pids+=($!)
/usr/bin/python3 -c '
import json, rados, sys
c = rados.Rados(conffile="")
c.connect(timeout=30)
sys.exit(c.mon_command(json.dumps({"prefix": "osd new", "uuid": sys.argv[1]}), b"")[0])' "$osd"
ceph-osd -i 0 --mkfs --osd-uuid "$osd" >/dev/null 2>&1
ceph-osd -i 0 -f >osd.out 2>&1 & pids+=($!)
radosgw-admin user create --uid test --display-name test --access-key access --secret-key secret >/dev/null
radosgw -n client.rgw -f >rgw.out 2>&1 & pids+=($!)

cat > ask.py <<'END'
import base64, hashlib, hmac, http.client, sys, time
from email.utils import formatdate


def ask(method, path, headers={}, body=b''):
    """Sends a request with the older signature of S3, and returns the status."""
    date = formatdate(usegmt=True)
    amz = ''.join(f'{name}:{value}\n' for name, value in sorted(headers.items()) if name.startswith('x-amz-'))
    text = f'{method}\n\n\n{date}\n{amz}{path}'
    signature = base64.b64encode(hmac.new(b'secret', text.encode(), hashlib.sha1).digest()).decode()
    c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))
    c.request(method, path, body, headers | {'Date': date, 'Authorization': f'AWS access:{signature}'})
    return c.getresponse().status


for _ in range(300):
    try:
        if ask('GET', '/') == 200:
            break
    except OSError:
        pass
    time.sleep(0.1)
other = 'd41d8cd98f00b204e9800998ecf8427e'  # the ETag of an empty object
assert ask('PUT', '/bucket') == 200 and ask('PUT', '/bucket/a', {}, b'content') == 200
read = ask('GET', '/bucket/a', {'If-Match': f'"{other}"'})
copy = ask('PUT', '/bucket/b', {'x-amz-copy-source': '/bucket/a', 'x-amz-copy-source-if-match': f'"{other}"'})
there = ask('GET', '/bucket/b')
print(f'a read with another ETag: {read}; a copy with another ETag: {copy}; the copy afterwards: {there}')
sys.exit((read, copy, there) != (412, 200, 200))
END
radosgw --version
/usr/bin/python3 ask.py "$gateway"
