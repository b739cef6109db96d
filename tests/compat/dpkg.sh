#!/bin/bash
# dpkg-deb: builds a package, lists and unpacks it
# group tools
# needs dpkg-deb
# packages dpkg
# version dpkg-deb --version
set -e
mkdir -p p/DEBIAN p/usr/share
seq 1 20000 > p/usr/share/data
printf 'Package: small\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@invalid>\nDescription: small\n' > p/DEBIAN/control
SOURCE_DATE_EPOCH=1700000000 dpkg-deb --root-owner-group -b p p.deb
dpkg-deb -f p.deb Package Version
dpkg-deb -x p.deb out
cmp p/usr/share/data out/usr/share/data && echo same
