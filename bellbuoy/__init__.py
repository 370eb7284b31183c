"""The ``bellbuoy`` command and what only it needs: settings, operations, local servers, simulator."""
