"""One call: what its two threads share, its credit, its open questions, and what it says when."""
