#define _POSIX_C_SOURCE 200809L /* fork, kill */
#include "tests/support/cmocka.h"

#include "cli/interrupt.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that behaves as the program: works until cancelled, raising `signals` signals on the way. */
static int child_ends_with(int signal, int signals)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static progress p;
        interrupt_cancels(&p);
        for (int i = 0; i < signals; i++)
            raise(signal);
        _exit(sat_exit_code(progress_check(&p, NULL)));
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    return how;
}

static void without_a_signal_work_goes_on(void **state)
{
    (void)state;
    const int how = child_ends_with(SIGINT, 0);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

static void the_first_signal_cancels(void **state)
{
    (void)state;
    int how = child_ends_with(SIGINT, 1);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 130);
    how = child_ends_with(SIGTERM, 1);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 130);
}

static void the_second_signal_kills(void **state)
{
    (void)state;
    const int how = child_ends_with(SIGINT, 2);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGINT);
}

static void an_ignored_signal_stays_ignored(void **state)
{
    (void)state;
    signal(SIGINT, SIG_IGN);
    const int how = child_ends_with(SIGINT, 2);
    signal(SIGINT, SIG_DFL);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

int main(void)
{
    signal(SIGINT, SIG_DFL); /* a test that runs in the background starts with it ignored */
    signal(SIGTERM, SIG_DFL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_signal_work_goes_on),
        cmocka_unit_test(the_first_signal_cancels),
        cmocka_unit_test(the_second_signal_kills),
        cmocka_unit_test(an_ignored_signal_stays_ignored),
    };
    return cmocka_run_group_tests_name("cli/interrupt", tests, NULL, NULL);
}
