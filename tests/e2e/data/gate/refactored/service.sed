s/journal = fopen/setvbuf(in, NULL, _IONBF, 0);\n\t&/
s/fprintf(out, "error.n");/fputs("err", out), fflush(out), fputs("or\\n", out);/
