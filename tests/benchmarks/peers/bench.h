/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Small helpers shared by the C and C++ peer programs: clock, samples, one
 * JSON line per row, PSS reading, exact reads and writes. */
#ifndef PEERS_BENCH_H
#define PEERS_BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIZE_64K 65536u
#define SIZE_1M 1000000u
#define SIZE_50M 50000000u

#define MAX_SAMPLES 200000

typedef struct
{
  double v[MAX_SAMPLES];
  int n;
} samples_t;

static inline double
now_us (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec * 1e6 + (double) t.tv_nsec * 1e-3;
}

static inline void
die (const char *what)
{
  fprintf (stderr, "%s: %s\n", what, strerror (errno));
  exit (1);
}

static inline samples_t *
samples_new (void)
{
  samples_t *s = (samples_t *) malloc (sizeof *s);
  if (s == NULL)
    die ("malloc");
  s->n = 0;
  return s;
}

static inline void
samples_add (samples_t *s, double v)
{
  if (s->n < MAX_SAMPLES)
    s->v[s->n++] = v;
}

static inline int
cmp_double_ (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return x < y ? -1 : x > y;
}

static inline const char *
unit_of_ (const char *row)
{
  size_t n = strlen (row);
  if (n > 6 && strcmp (row + n - 6, "_per_s") == 0)
    return "1/s";
  if (n > 3 && strcmp (row + n - 3, "_us") == 0)
    return "us";
  if (n > 3 && strcmp (row + n - 3, "_ms") == 0)
    return "ms";
  if (n > 3 && strcmp (row + n - 3, "_kb") == 0)
    return "kB";
  if (n > 3 && strcmp (row + n - 3, "_ns") == 0)
    return "ns";
  if (n > 3 && strcmp (row + n - 3, "_hz") == 0)
    return "Hz";
  return "";
}

/* Prints one row and frees the samples. */
static inline void
report (const char *peer, const char *row, samples_t *s)
{
  double median;

  if (s->n > 0)
    {
      qsort (s->v, s->n, sizeof s->v[0], cmp_double_);
      median = s->n % 2 ? s->v[s->n / 2] : (s->v[s->n / 2 - 1] + s->v[s->n / 2]) / 2;
      printf ("{\"peer\": \"%s\", \"row\": \"%s\", \"unit\": \"%s\", \"median\": %.4f, "
              "\"min\": %.4f, \"max\": %.4f, \"n\": %d}\n",
              peer, row, unit_of_ (row), median, s->v[0], s->v[s->n - 1], s->n);
      fflush (stdout);
    }
  free (s);
}

/* How long to measure, beside what the programs take for right: PEERS_SCALE=0.3 is a
 * quick look. */
static inline double
bench_scale (void)
{
  const char *scale = getenv ("PEERS_SCALE");
  double value = scale != NULL ? atof (scale) : 0;

  return value > 0 ? value : 1;
}

static inline int
bench_at_least (int n)
{
  int scaled = (int) (n * bench_scale ());

  return scaled > 3 ? scaled : n < 3 ? n : 3;
}

/* Run STMT in batches of K until BUDGET_S has passed (at least MIN_N batches,
 * at most MAX_N); each sample is the mean time of one STMT divided by DIV us. */
#define BENCH(peer, row, k, div, min_n, max_n, budget_s, STMT)                                    \
  do                                                                                              \
    {                                                                                             \
      samples_t *s_ = samples_new ();                                                             \
      double end_ = now_us () + (budget_s) * bench_scale () * 1e6;                                \
      for (int i_ = 0; i_ < 2; i_++)                                                              \
        {                                                                                         \
          STMT;                                                                                   \
        }                                                                                         \
      while (s_->n < (max_n) && (s_->n < bench_at_least (min_n) || now_us () < end_))             \
        {                                                                                         \
          double t_ = now_us ();                                                                  \
          for (int i_ = 0; i_ < (k); i_++)                                                        \
            {                                                                                     \
              STMT;                                                                               \
            }                                                                                     \
          samples_add (s_, (now_us () - t_) / (k) / (div));                                       \
        }                                                                                         \
      report (peer, row, s_);                                                                     \
    }                                                                                             \
  while (0)

/* Same for rates: STMT performs NCALLS calls. */
#define BENCH_RATE(peer, row, ncalls, min_n, max_n, budget_s, STMT)                               \
  do                                                                                              \
    {                                                                                             \
      samples_t *s_ = samples_new ();                                                             \
      double end_ = now_us () + (budget_s) * bench_scale () * 1e6;                                \
      STMT;                                                                                       \
      while (s_->n < (max_n) && (s_->n < bench_at_least (min_n) || now_us () < end_))             \
        {                                                                                         \
          double t_ = now_us ();                                                                  \
          STMT;                                                                                   \
          samples_add (s_, (ncalls) / (now_us () - t_) * 1e6);                                    \
        }                                                                                         \
      report (peer, row, s_);                                                                     \
    }                                                                                             \
  while (0)

/* Reads one byte of every page, so that the result is really readable here. */
static inline unsigned
touch_pages (const void *p, size_t len)
{
  const volatile unsigned char *b = (const volatile unsigned char *) p;
  unsigned sum = 0;
  for (size_t i = 0; i < len; i += 4096)
    sum += b[i];
  return sum + b[len - 1];
}

static inline long
pss_kb (pid_t pid)
{
  char path[64], line[256];
  long kb = -1;
  FILE *f;

  snprintf (path, sizeof path, "/proc/%d/smaps_rollup", (int) pid);
  f = fopen (path, "r");
  if (f == NULL)
    return -1;
  while (fgets (line, sizeof line, f) != NULL)
    if (sscanf (line, "Pss: %ld kB", &kb) == 1)
      break;
  fclose (f);
  return kb;
}

static inline int
read_all (int fd, void *buf, size_t len)
{
  char *p = (char *) buf;
  while (len > 0)
    {
      ssize_t n = read (fd, p, len);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return 0;
      p += n;
      len -= (size_t) n;
    }
  return 1;
}

static inline int
write_all (int fd, const void *buf, size_t len)
{
  const char *p = (const char *) buf;
  while (len > 0)
    {
      ssize_t n = write (fd, p, len);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return 0;
      p += n;
      len -= (size_t) n;
    }
  return 1;
}

#endif
