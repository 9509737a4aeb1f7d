/* `ingot --bench`. */
#include "bench.h"
#include "../engine/bench.h"
#include "../engine/text.h"
#include <stdio.h>

void bench(struct session *session, const struct platform *platform) {
    char json[BENCH_JSON_MAX];
    struct text line = text_into(json, sizeof json);
    struct bench result;
    struct error error;
    bench_run(session, platform, NULL, NULL, &result, &error); /* nothing stops it */
    bench_show(&result, session, &line);
    printf("%s\n", json);
}
