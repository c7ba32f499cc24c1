"""From a run to an artifact: what it is asked for, which forms it takes, three gates, a sealed folder."""
