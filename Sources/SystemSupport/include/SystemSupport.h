// The few things that Swift cannot say.

#ifndef SYSTEM_SUPPORT_H
#define SYSTEM_SUPPORT_H

#include <stdint.h>

// Sleep while *word == expected, until vl2_futex_wake or a spurious wake-up.
void vl2_futex_wait(const uint32_t *word, uint32_t expected);
// Wake up to `count` threads that sleep on word.
void vl2_futex_wake(const uint32_t *word, int count);
// A hint that this thread is spinning.
void vl2_spin_hint(void);

#endif
