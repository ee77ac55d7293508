#!/bin/sh
# build.sh PYTHON OUTDIR [-DFIXED]
cd "$(dirname "$0")"
exec sh ../build-pybind11.sh scanner.cpp "$@"
