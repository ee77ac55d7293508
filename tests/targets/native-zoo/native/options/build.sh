#!/bin/sh
# build.sh PYTHON OUTDIR [-DFIXED]
cd "$(dirname "$0")"
exec sh ../build-c.sh options.c "$@"
