"""How moximap is packaged and what it needs."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "moximap/__init__.py").read_text(), re.M)
assert VERSION is not None


class BuildFromHere(build_py):
    """The build, and two things that are easily met when it runs in a checkout."""

    def run(self) -> None:
        if not self.editable_mode:
            # commands/ is searched for modules: one that was removed must not live on in an old build.
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        if not self.editable_mode and not (HERE / "PKG-INFO").exists():
            # `trial tests` looks for a package, and not in the current directory.  What is installed
            # from a checkout (an unpacked sdist has a PKG-INFO) therefore knows the way to its tests.
            Path(self.build_lib, "moximap-checkout.pth").write_text(f"{HERE}\n", encoding="utf-8")


setup(
    name="moximap",
    version=VERSION[1],
    description="An IMAP server on Twisted, one database per account",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: No Input/Output (Daemon)",
        "Framework :: Twisted",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Topic :: Communications :: Email :: Post-Office :: IMAP",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["moximap", "moximap.*"]),
    # One module put beside Twisted's own plugins.  Not a package: an __init__.py of ours in
    # twisted/plugins would hide that directory from Twisted's plugin search.
    py_modules=["twisted.plugins.moximap_plugin"],
    package_data={"moximap": ["py.typed"], "moximap.store": ["schema/*.sql"]},
    entry_points={"console_scripts": ["moximap = moximap.cli.main:main"]},
    install_requires=[
        "Twisted >= 24.10",
        "apsw >= 3.47",
        "attrs >= 23.2",
        "click >= 8.1",
        "cryptography >= 42",
        "precis-i18n >= 1.1",
        "pyOpenSSL >= 24.2",
        "rich >= 13.7",
        "scramp >= 1.4.5",
        "segno >= 1.6",
        "selectolax >= 0.3.21",
        "service-identity >= 24.1",
        "txtorcon >= 24.8",
        "zope.interface >= 6.4",
    ],
    extras_require={
        "benchmarks": ["matplotlib >= 3.8"],
        "test": [
            "IMAPClient >= 3.0.1",
            "hypothesis >= 6.100",
        ],
    },
    cmdclass={"build_py": BuildFromHere},
    zip_safe=False,
)
