"""How fast it is: against its own floor, websocket-client, and openai-agents.

    python -m benchmarks                  # all of them, into benchmark-results/
    python -m benchmarks --quick          # in less than three minutes
    python -m benchmarks.recv_flood       # one of them; --help for its options
    python -m benchmarks.page             # docs/performance.md out of the results

A benchmark starts the load server in a process of its own (`load_server`) and each
contender in another (`worker`, `contenders/`), and has the contenders take turns:
A B C A B C ..., so that whatever else the machine does hits all of them. It prints
medians, and ratios against the targets (`targets`).
"""
