/* Shapes with every kind of owner, for the bindings beside this file. */
#include <cstddef>
#include <cstdint>
#include <vector>

class Shape {
public:
    explicit Shape(int corners) : corners_(corners) {}
    virtual ~Shape() {}
    int corners() const { return corners_; }
    uintptr_t where() const { return (uintptr_t)this; }
private:
    int corners_;
    double area_[6] = {};
};

/* Holds shapes: one by pointer, one inside. */
class Board {
public:
    Board() : first_(new Shape(3)), inside_(4) { all_.push_back(new Shape(5)); }
    ~Board() { delete first_; for (Shape *s : all_) delete s; }
    Shape *first() { return first_; }
    Shape *inside() { return &inside_; }
    Shape *listed(int i) { return all_[i]; }
private:
    Shape *first_;
    Shape inside_;
    std::vector<Shape *> all_;
};

/* Parts are held by a link inside of each, as intrusive lists do. */
struct Part {
    double weight = 0;
    double link = 0;
    double rest[6] = {};
};

class Frame {
public:
    Frame() { for (int i = 0; i < 8; i++) links_.push_back(&(new Part())->link); }
    ~Frame() { for (double *link : links_) delete part(link); }
    Part *part(int i) { return part(links_[i]); }
private:
    static Part *part(double *link) { return (Part *)((char *)link - offsetof(Part, link)); }
    std::vector<double *> links_;
};

/* A class that the bindings know by name only. */
class Ink { double level[4] = {1, 2, 3, 4}; };

inline Shape *make_shape(int corners) { return new Shape(corners); }
inline Shape *new_shape(int corners) { return new Shape(corners); }
inline Ink *new_ink() { return new Ink(); }
inline Shape *static_shape() { static Shape one(7); return &one; }
inline Shape *kept_shape() { static Shape *one = new Shape(8); return one; }
