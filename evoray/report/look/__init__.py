"""What the pages look like: colours, styles, tables and figures that all of them share."""
