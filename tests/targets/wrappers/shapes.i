%module shapes
%{
#include "shapes.h"
%}
%include <stdint.i>

%newobject new_shape;
%newobject new_ink;
class Ink;

class Shape {
public:
    explicit Shape(int corners);
    virtual ~Shape();
    int corners() const;
    uintptr_t where() const;
};

class Board {
public:
    Board();
    ~Board();
    Shape *first();
    Shape *inside();
    Shape *listed(int i);
};

struct Part {
    double weight;
};

class Frame {
public:
    Frame();
    ~Frame();
    Part *part(int i);
};

Shape *make_shape(int corners);
Shape *new_shape(int corners);
Ink *new_ink();
Shape *static_shape();
Shape *kept_shape();
