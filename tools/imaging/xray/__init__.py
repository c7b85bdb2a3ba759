"""Radiographs computed from CT: geometry, attenuation, projection, film, style, marking and export."""
