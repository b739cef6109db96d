#!/bin/bash
# numpy: products, singular values and transforms over four threads of BLAS
# group python
# needs f2py3
# packages python3-numpy
# version python3 -c 'import numpy; print(numpy.__version__)'
set -e
cat > a.py <<'E'
import numpy as np
a = np.arange(250000, dtype=float).reshape(500, 500) % 17
b = a @ a.T; print(b.sum())
print(round(float(np.linalg.norm(np.linalg.svd(a[:100, :100], compute_uv=False))), 6))
print(np.fft.fft(a[0]).shape)
E
OPENBLAS_NUM_THREADS=4 python3 a.py
