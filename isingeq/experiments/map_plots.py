"""Pictures of the maps of a run, on a lattice or on images."""

from pathlib import Path

from isingeq.experiments import image_plots, lattice_plots
from isingeq.experiments.maps import read_maps
from isingeq.learning.network import Network

NAMES = (*lattice_plots.NAMES, *image_plots.NAMES)


def draw_maps(folder: Path, network: Network) -> tuple[str, ...]:
    """Draw the maps of a run into its folder, and return the names of the files; none where there are no maps."""
    maps = [one for one in read_maps(folder) if one.num_kept]
    if not maps:
        return ()
    draw = image_plots.draw_images if network.wiring is None else lattice_plots.draw_lattice
    return draw(folder, network, maps)
