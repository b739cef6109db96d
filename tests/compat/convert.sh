#!/bin/bash
# imagemagick: makes a PNG, scales and blurs it
# group tools
# needs convert
# packages imagemagick
# version convert --version
set -e
convert -size 200x150 gradient:red-blue a.png
convert a.png -resize 50% -blur 0x2 b.png
identify -format '%w %h\n' b.png
