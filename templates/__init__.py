"""What gilgen generates from: Jinja2 templates of C++ and CMake."""
