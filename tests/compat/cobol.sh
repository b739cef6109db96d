#!/bin/bash
# gnucobol: compiles and runs a loop
# group native
# needs cobc
# packages gnucobol3
# version cobc --version
set -e
cat > all.cob <<'EOF'
       IDENTIFICATION DIVISION.
       PROGRAM-ID. ALL1.
       DATA DIVISION.
       WORKING-STORAGE SECTION.
       01 I PIC 9(6).
       01 S PIC 9(12) VALUE 0.
       PROCEDURE DIVISION.
           PERFORM VARYING I FROM 1 BY 1 UNTIL I > 1000
             ADD I TO S
           END-PERFORM
           DISPLAY S
           STOP RUN.
EOF
cobc -x all.cob -o all && ./all
