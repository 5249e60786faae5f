/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The C program behind the Erlang port: 4-byte big-endian length, one byte
 * naming the operation, its data. */
#include "bench.h"

static int
reply (const void *data, uint32_t len)
{
  uint8_t head[4] = { (uint8_t) (len >> 24), (uint8_t) (len >> 16), (uint8_t) (len >> 8),
                      (uint8_t) len };
  uint8_t small[4 + 64];

  if (len <= 64)
    {
      memcpy (small, head, 4);
      memcpy (small + 4, data, len);
      return write_all (1, small, 4 + len);
    }
  return write_all (1, head, 4) && write_all (1, data, len);
}

int
main (void)
{
  size_t room = 1 << 20, have = 0, used = 0;
  uint8_t *buf = malloc (room), *array = NULL;

  for (;;)
    {
      uint64_t x = 0;
      uint32_t len = 0;
      uint8_t *body;
      ssize_t n;

      while (have - used < 4
             || have - used
                  < 4u + (len = (uint32_t) buf[used] << 24 | (uint32_t) buf[used + 1] << 16
                                | (uint32_t) buf[used + 2] << 8 | buf[used + 3]))
        {
          if (used > 0)
            {
              memmove (buf, buf + used, have - used);
              have -= used;
              used = 0;
            }
          if (have >= 4 && room < 4u + len)
            buf = realloc (buf, room = 4u + len);
          n = read (0, buf + have, room - have);
          if (n <= 0)
            return 0;
          have += (size_t) n;
        }
      body = buf + used + 5;
      if (len >= 9)
        memcpy (&x, body, sizeof x);
      switch (buf[used + 4])
        {
        case 1:
          x++;
          reply (&x, sizeof x);
          break;
        case 2:
          break;
        case 3:
          if (array == NULL)
            memset (array = malloc (SIZE_50M), 7, SIZE_50M);
          reply (array, (uint32_t) x);
          break;
        case 4:
          reply (body, len - 1);
          break;
        case 5:
          x = len - 1;
          reply (&x, sizeof x);
          break;
        default:
          return 0;
        }
      used += 4u + len;
    }
}
