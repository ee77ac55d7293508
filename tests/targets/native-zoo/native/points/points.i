/* Corners of a box.  Build with -DFIXED for the correct typemap. */
%module points

%typemap(out) double * {
    int i;

    $result = PyList_New(0);
    for (i = 0; i < 4; i++) {
        PyObject *number = PyFloat_FromDouble($1[i]);   /* BUG: new */

        PyList_Append($result, number);
#ifdef FIXED
        Py_DECREF(number);
#endif
    }
}

%{
static double *corners(double width, double height)
{
    static double found[4];

    found[2] = width;
    found[3] = height;
    return found;
}
%}

double *corners(double width, double height);
