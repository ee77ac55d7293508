/* Shapes on a canvas, drawn with inks.  Two mistakes of ownership are in here, each of
   which  swig -DFIXED  leaves out; docs/SWIG.md finds them. */
%module sketch

%{
#include <string>
#include <vector>

class Shape {
public:
    explicit Shape(int corners) : corners_(corners), outline_(corners * 64) {}
    ~Shape() {}
    int corners() const { return corners_; }
private:
    int corners_;
    std::vector<double> outline_;
};

/* Something that draws: to be freed like anything else that new gives. */
class Ink {
public:
    explicit Ink(const char *name) : name_(name) {}
private:
    std::string name_;
    double levels_[64] = {};
};

/* Owns its background, and lends it out. */
class Canvas {
public:
    Canvas() : background_(new Shape(4)) {}
    ~Canvas() { delete background_; }
    Shape *background() { return background_; }
private:
    Canvas(const Canvas &);
    Shape *background_;
};

Shape *make_circle(int corners) { return new Shape(corners); }
Ink *mix(const char *name) { return new Ink(name); }
%}

/* The first mistake: make_circle gives a new object away, and SWIG has to be told. */
#ifdef FIXED
%newobject make_circle;
#endif

/* The second: mix does so too, and SWIG was told; but not how an Ink is deleted. */
%newobject mix;
#ifdef FIXED
class Ink {
public:
    explicit Ink(const char *name);
    ~Ink();
};
#else
class Ink;
#endif

class Shape {
public:
    explicit Shape(int corners);
    ~Shape();
    int corners() const;
};

class Canvas {
public:
    Canvas();
    ~Canvas();
    Shape *background();
};

Shape *make_circle(int corners);
Ink *mix(const char *name);
