#!/bin/sh
# build.sh PYTHON OUTDIR [-DFIXED]
cd "$(dirname "$0")"
exec sh ../build-swig.sh shapes.i "$@"
