"""What the installed binaries say: ELF files read with pyelftools, in bulk with numpy."""
