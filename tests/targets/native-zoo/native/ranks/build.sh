#!/bin/sh
# build.sh PYTHON OUTDIR [-DFIXED]
cd "$(dirname "$0")"
exec sh ../build-cython.sh ranks.pyx "$@"
