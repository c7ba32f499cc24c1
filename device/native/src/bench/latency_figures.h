/* The figures of latency from one or more process launches of the same model; all samples count alike. As
 * measure.summarise_latency and assemble have them. */
#ifndef EDGESEQ_LATENCY_FIGURES_H
#define EDGESEQ_LATENCY_FIGURES_H

#include "bench/result.h"

/* Fills the entry's figures of a kind of latency and its warnings. outcomes: [count], count > 0. False where
 * one of them has no samples, or without memory; then nothing is filled. */
bool latency_figures(struct result *result, struct entry *entry, enum kind kind,
                     const struct outcome *const *outcomes, size_t count);

#endif
