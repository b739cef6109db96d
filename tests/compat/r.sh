#!/bin/bash
# R: statistics, a plot to a file
# group scripts
# needs Rscript
# packages r-base-core
# version R --version
set -e
Rscript --vanilla -e 'set.seed(1); x <- rnorm(20000); print(summary(x)); m <- matrix(runif(10000), 100); print(dim(solve(m))); cat(system("echo child", intern = TRUE), "\n")'
