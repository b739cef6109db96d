#!/bin/bash
# documents: graphs, plots, PostScript to PDF to text, manual pages, sound
# group tools
# needs dot gnuplot gs pdftotext groff sox
# packages graphviz gnuplot-nox ghostscript poppler-utils groff sox
# version gs --version
set -e
# A cache of fonts of its own: the host's notes times, and is written again in each run that sees others.
export FONTCONFIG_FILE=$PWD/fonts.conf
printf '<?xml version="1.0"?>\n<fontconfig>\n<dir>/usr/share/fonts</dir>\n<cachedir>%s</cachedir>\n</fontconfig>\n' "$PWD/fonts" > fonts.conf
echo 'digraph { a -> b; b -> c; c -> a }' | dot -Tsvg | wc -l
printf 'set term svg\nset out "o.svg"\nplot sin(x)\n' | gnuplot; wc -l < o.svg
printf '%%!PS\n/Helvetica findfont 12 scalefont setfont 72 700 moveto (hello ps) show showpage\n' > a.ps; gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -sOutputFile=a.pdf a.ps; pdftotext a.pdf - | head -1; pdfinfo a.pdf | grep Pages
printf '.TH A 1\n.SH NAME\na \\- b\n' | groff -man -Tascii | wc -l
sox -n -r 8000 a.wav synth 0.2 sine 440 && sox a.wav -n stat 2>&1 | grep -i samples
