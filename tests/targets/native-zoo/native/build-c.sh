#!/bin/sh
# build-c.sh SOURCE PYTHON OUTDIR [-DFIXED]: a module of one C or C++ file, in the current folder
set -e
name=${1%.*}
set -- "$1" "$2" "$3" "${4:--DPLANTED}" $("$2" -c 'import sysconfig as s; print(s.get_paths()["include"], s.get_config_var("EXT_SUFFIX"))')
case $1 in *.cpp) compiler="g++ -std=c++17" ;; *) compiler=gcc ;; esac
$compiler -g -O2 -Wall -shared -fPIC -pthread $4 -I"$5" "$1" -o "$3/$name$6"
