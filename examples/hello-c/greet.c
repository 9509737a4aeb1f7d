#include "greet.h"

#include <stdio.h>

const char *greet(char text[GREETING], const char *who)
{
    snprintf(text, GREETING, "hello, %s", who);
    return text;
}
