"""Does a metric put "means something else" below "looks worse"? Images whose key is known by construction."""
