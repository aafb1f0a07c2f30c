"""Installs the package `se` and the seven programs, as `semonitor` and as `semonitor.py`."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
PROGRAMS = [
    "semonitor",
    "seextract",
    "sekey",
    "se2state",
    "se2csv",
    "se2graphite",
    "pickle2graphite",
]

setup(
    name="solaredge-monitoring",
    version=re.findall(r'__version__ = "(.+)"', (HERE / "se/__init__.py").read_text())[0],
    description="Read the data of SolarEdge inverters and optimizers in their own protocol",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    author="the contributors of solaredge-monitoring",
    license="MIT",
    license_files=["LICENSE"],
    keywords="SolarEdge solar photovoltaic inverter optimizer monitoring",
    classifiers=[
        "Environment :: Console",
        "Operating System :: POSIX :: Linux",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)),
        "Topic :: Home Automation",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=["se", "se.*"]),
    package_data={"se": ["py.typed"]},
    py_modules=PROGRAMS,
    scripts=[f"{program}.py" for program in PROGRAMS],
    entry_points={"console_scripts": [f"{program} = {program}:main" for program in PROGRAMS]},
    install_requires=[
        "dpkt>=1.9.8,<2",
        "fastcrc>=0.3,<1",
        # the maintained continuation of netifaces, under the same import name, with wheels
        "netifaces-plus>=0.12,<1",
        "orjson>=3.8,<4",
        "pycryptodome>=3.15,<5",
        "pyserial>=3.5,<4",
    ],
    extras_require={
        "test": [
            "coverage>=7.10,<8",
            "hypothesis>=6.100,<7",
            "mypy>=1.11,<3",
            "pandas>=2,<4",
            "pytest>=8,<10",
            "pytest-timeout>=2.3,<3",
            "pytest-xdist>=3.5,<4",
            "ruff>=0.6,<1",
            "types-pyserial>=3.5",
        ],
    },
)
