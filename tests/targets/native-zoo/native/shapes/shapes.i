/* A struct of C and a function that makes one.  swig -DFIXED for the correct interface. */
%module shapes

%{
#include <stdlib.h>

typedef struct {
    int corners;
    double x[64];
} Shape;

static Shape *unit(int corners)
{
    Shape *shape = calloc(1, sizeof *shape);

    shape->corners = corners;
    return shape;
}
%}

#ifdef FIXED
%newobject unit;
#endif

typedef struct {
    int corners;
    %immutable;
    double x[64];
    %mutable;
} Shape;

Shape *unit(int corners);
