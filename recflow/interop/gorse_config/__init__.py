"""Gorse's config.toml and a flow document, each made from the other.

Gorse keeps no drawing: its graph is derived from the lists in ``[recommend]``. A flow made of a configuration
and exported onto that same configuration changes nothing in it; what one side cannot say is listed, and stays
in the file or in the document's ``gorse`` entry.
"""

from recflow.interop.gorse_config.exporting import flow_to_config, not_expressible
from recflow.interop.gorse_config.importing import config_to_flow

__all__ = ["config_to_flow", "flow_to_config", "not_expressible"]
