#ifndef GREET_H
#define GREET_H

#define GREETING 80

/* Writes the greeting into `text`, cut off where it is too long; returns it. */
const char *greet(char text[GREETING], const char *who);

#endif
