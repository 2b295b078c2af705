from earwitness.garbage import look_seldom

look_seldom()  # before any service imports what it stands on
