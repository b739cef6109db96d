#!/bin/bash
# gfortran: OpenMP over two threads
# group native
# needs gfortran
# packages gfortran
# version gfortran --version
set -e
cat > all.f90 <<'EOF'
program all
  implicit none
  integer :: i
  real(8) :: s
  s = 0
  !$omp parallel do reduction(+:s)
  do i = 1, 2000000
    s = s + sqrt(real(i, 8))
  end do
  !$omp end parallel do
  print '(f14.1)', s
end program
EOF
gfortran -O2 -fopenmp all.f90 -o all && OMP_NUM_THREADS=2 ./all
