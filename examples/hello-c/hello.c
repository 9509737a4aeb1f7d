#include <stdio.h>

#include "greet.h"

int main(int argc, char **argv)
{
    char text[GREETING];
    puts(greet(text, argc > 1 ? argv[1] : "world"));
    return 0;
}
