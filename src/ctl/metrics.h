/*
 * The answer to Status as OpenMetrics text, for Prometheus and its like. Names and meanings stay;
 * what is not known is left out, never 0.
 */
#ifndef FDSUP_CTL_METRICS_H
#define FDSUP_CTL_METRICS_H

#include <jansson.h>
#include <stdio.h>

void metrics_print(FILE *out, const json_t *status);

#endif
