#!/bin/bash
# gpg: symmetric encryption with its agent
# group tools
# needs gpg gpgconf
# packages gpg gpg-agent
# version gpg --version
set -e
export GNUPGHOME=$PWD/home
mkdir -m 700 home
seq 1 1000 > plain
gpg --batch --yes --quiet --passphrase secret --pinentry-mode loopback --symmetric plain
gpg --batch --yes --quiet --passphrase secret --pinentry-mode loopback -d plain.gpg 2> /dev/null | cmp - plain && echo same
gpgconf --kill all
