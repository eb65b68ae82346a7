"""``hikae status`` for people: a table, worst first, and below each dataset that needs it sentences and what to type."""

from agent.status.page.long_form import dataset_page
from agent.status.page.overview import status_page

__all__ = ["dataset_page", "status_page"]
